/**
 * Seconds of a moment that is written like `2023-11-16 18:15:46.6805900` or `2026-11-24T05:00:42.120Z`, from
 * an origin that is always the same; null where it is something else. Zones do not count.
 */
export function momentS(text: string): number | null {
  const match = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d(?:\.\d+)?)/.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as Six;
  return ((daysOf(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
}

type Six = [number, number, number, number, number, number];

/** Days since 1 March of the year 0, in the Gregorian calendar. */
function daysOf(year: number, month: number, day: number): number {
  const fromMarch = (month + 9) % 12;
  const of = month <= 2 ? year - 1 : year;
  const leap = Math.floor(of / 4) - Math.floor(of / 100) + Math.floor(of / 400);
  return 365 * of + leap + Math.floor((153 * fromMarch + 2) / 5) + day - 1;
}
