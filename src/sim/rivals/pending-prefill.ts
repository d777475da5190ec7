/**
 * Prefill work that was sent to engines and has not given its first token: what several routers keep by
 * themselves. The unit is the caller's.
 */
export class PendingPrefill {
  readonly #work: number[] = [];
  readonly #bookings = new Map<number, Booking>();

  at(engine: number): number {
    return this.#work[engine] ?? 0;
  }

  /** A request that is booked already is booked anew. */
  book(request: number, engine: number, work: number, nowS: number): void {
    this.release(request);
    this.#bookings.set(request, { engine, work, atS: nowS });
    this.#work[engine] = this.at(engine) + work;
  }

  /**
   * At the first token, or at the end of a request without one; undefined when nothing is booked (any more).
   */
  release(request: number): Booking | undefined {
    const booking = this.#bookings.get(request);
    if (booking === undefined) return undefined;
    this.#bookings.delete(request);
    this.#work[booking.engine] = Math.max(0, this.at(booking.engine) - booking.work);
    return booking;
  }
}

/** What one request still has to prefill, where, and since when. */
export interface Booking {
  readonly engine: number;
  readonly work: number;
  readonly atS: number;
}
