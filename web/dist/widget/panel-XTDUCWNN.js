import"./chunk-A67WQ4Y2.js";
