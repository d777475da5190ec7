/** What an endpoint reports of itself; NaN is unknown. */
export interface Vitals {
  /** Shares in use, 0..1 each. */
  readonly cpu: number;
  readonly memory: number;
  /** Of its GPU, or of whatever else it is that it works with (slots, KV cache). */
  readonly gpu: number;
  /** Requests that wait inside of it. */
  readonly queued: number;
}
