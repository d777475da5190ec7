/**
 * When so few endpoints are left that they would be crushed, health is more likely wrong than right: use all.
 * Source: Envoy's panic threshold, Finagle's PanicMode; both 50 %.
 *
 * `usable` and `enabled` count endpoints; those that an operator drained are in neither.
 */
export function isPanic(usable: number, enabled: number, panicShare: number): boolean {
  return enabled > 0 && usable < enabled * panicShare;
}
