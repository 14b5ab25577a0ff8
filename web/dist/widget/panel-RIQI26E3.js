import"./chunk-2FLA7MK6.js";
