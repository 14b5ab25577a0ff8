import"./chunk-6OLQPIMC.js";
