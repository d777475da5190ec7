/** A bar on stderr where that is a terminal; elsewhere nothing is shown. */
export class ProgressBar {
  readonly #stream: Terminal;
  #text = "";

  constructor(stream: Terminal = process.stderr) {
    this.#stream = stream;
  }

  /** `share`: 0..1. */
  show(share: number): void {
    if (this.#stream.isTTY !== true) return;
    const full = Math.round(share * WIDTH);
    const text = `[${"#".repeat(full)}${" ".repeat(WIDTH - full)}] ${Math.floor(share * 100)} %`;
    if (text === this.#text) return;
    this.#text = text;
    this.#stream.write(`\r${text}`);
  }

  /** Takes it away. */
  clear(): void {
    if (this.#text !== "") this.#stream.write(`\r${" ".repeat(this.#text.length)}\r`);
    this.#text = "";
  }
}

/** What a bar needs of a stream. */
export interface Terminal {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const WIDTH = 40;
