import"./chunk-FK3PWBRB.js";
