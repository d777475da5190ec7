/** A bar on stderr where that is a terminal; elsewhere nothing is shown. */
export class ProgressBar {
  readonly #isShown: boolean;
  #text = "";

  constructor(stream: { readonly isTTY?: boolean } = process.stderr) {
    this.#isShown = stream.isTTY === true;
  }

  /** `share`: 0..1. */
  show(share: number): void {
    if (!this.#isShown) return;
    const full = Math.round(share * WIDTH);
    const text = `[${"#".repeat(full)}${" ".repeat(WIDTH - full)}] ${Math.floor(share * 100)} %`;
    if (text === this.#text) return;
    this.#text = text;
    process.stderr.write(`\r${text}`);
  }

  /** Takes it away. */
  clear(): void {
    if (this.#text !== "") process.stderr.write(`\r${" ".repeat(this.#text.length)}\r`);
    this.#text = "";
  }
}

const WIDTH = 40;
