// Rows of the fault matrix, a few seconds of each; at full length: `npm run faults`.
import { DEATHS } from "./rows/index.ts";
import { testRows } from "./short.ts";

testRows(DEATHS);
