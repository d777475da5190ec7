import type { Trial } from "./trial.ts";

/** One fault: what is done to Evener, and what must hold. */
export interface Row {
  /** Its number in the fault matrix, or a word for those that it does not have. */
  readonly name: string;
  readonly title: string;
  /** Longer than a minute at full length: three runs are enough. */
  readonly isLong?: boolean;
  /** It needs the processor or the memory for itself, or judges times: no other run goes on beside it. */
  readonly isHeavy?: boolean;
  /** Throws what does not hold. The three promises are judged afterwards, whatever the row. */
  run(trial: Trial): Promise<void>;
}
