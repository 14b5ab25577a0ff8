import"./chunk-2KTQJLSO.js";
