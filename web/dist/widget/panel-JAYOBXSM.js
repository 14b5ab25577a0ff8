import"./chunk-HTWZIVXI.js";
