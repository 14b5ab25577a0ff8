import"./chunk-MLVIFZGP.js";
