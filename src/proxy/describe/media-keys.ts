// Hot path: comparisons of small numbers.
import { internKey } from "./key-names.ts";

const IMAGE_URL = internKey("image_url");
const VIDEO_URL = internKey("video_url");
const AUDIO_URL = internKey("audio_url");
const INPUT_AUDIO = internKey("input_audio");
const FILE_DATA = internKey("file_data");
const IMAGES = internKey("images");
const SOURCE = internKey("source");
const DATA = internKey("data");
const TYPE = internKey("type");
const URL = internKey("url");

/** In place of a key, for what stands in a list. */
export const LIST_ITEM = -1;

/**
 * Whether a text within a prompt is an image, a sound or a file, by value or by address. `key` is its own or
 * {@link LIST_ITEM}; `around` is the key of the object or list in which it stands.
 *
 * OpenAI: `image_url: { url }` (a text in Responses), `input_audio: { data }`, `file: { file_data }`; vLLM
 * has `video_url` and `audio_url`. Anthropic: `source: { data }` and `source: { url }`. Ollama: `images: []`.
 */
export function isMediaKey(key: number, around: number): boolean {
  switch (key) {
    case LIST_ITEM:
      return around === IMAGES;
    case IMAGE_URL:
    case FILE_DATA:
      return true;
    case URL:
      return around === IMAGE_URL || around === SOURCE || around === VIDEO_URL || around === AUDIO_URL;
    case DATA:
      return around === SOURCE || around === INPUT_AUDIO;
    default:
      return false;
  }
}

/** The text that says what Anthropic's `source` is: of a `text` the data is text, too. */
export function isSourceType(key: number, around: number): boolean {
  return key === TYPE && around === SOURCE;
}

/** The object at this key is such a source. */
export function isSource(key: number): boolean {
  return key === SOURCE;
}
