import"./chunk-GYOCERWH.js";
