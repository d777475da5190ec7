/** What the demo's model has to say; it begins again when it is through. One word is one token. */
const PASSAGE = `An evener is a plain bar of ash, hung by its middle from the plough. At each end a
horse leans into its collar, and the bar swings until both pull the same. The strong one feels no hurry,
the slow one feels no shame, and the furrow comes out straight. When one of them stumbles, the bar tilts
for a moment, the other takes a little more, and the driver hears only the chains. Nobody gives an
order. The wood has no opinion about horses; it knows where the weight is, and it answers at once. So
the field is done by evening, and in the stable both of them are equally tired.`;

const WORDS: readonly string[] = PASSAGE.split(/\s+/);

/** The token at `index` (0-based), with the blank that separates it from the one before. */
export function tokenText(index: number): string {
  const word = WORDS[index % WORDS.length]!;
  return index === 0 ? word : ` ${word}`;
}

/** The first `count` tokens as one text. */
export function passageText(count: number): string {
  let text = "";
  for (let index = 0; index < count; index++) text += tokenText(index);
  return text;
}

/** Filler for prompts: a text of exactly `bytes` bytes (all ASCII). */
export function promptText(bytes: number): string {
  return FILLER.repeat(Math.ceil(bytes / FILLER.length)).slice(0, bytes);
}

const FILLER = `${WORDS.join(" ")} `;
