// Rows of the fault matrix, a few seconds of each; at full length: `npm run faults`.
import { TROUBLES } from "./rows/index.ts";
import { testRows } from "./short.ts";

testRows(TROUBLES);
