import"./chunk-JPCQEKCW.js";
