import"./chunk-BZJNRYW5.js";
