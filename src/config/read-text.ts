import * as fs from "node:fs";

/** The text of a file of at most `bytesMax` bytes. Throws an `Error` that says why not, without the path. */
export function readText(file: string, bytesMax: number): string {
  try {
    return read(file, bytesMax);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new Error(REASONS[code ?? ""] ?? message, { cause });
  }
}

/** In words for whoever wrote the path; the system's own repeat it. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a directory",
  EACCES: "this user may not read it",
  ERR_ENCODING_INVALID_ENCODED_DATA: "it is no UTF-8 text",
};

function read(file: string, bytesMax: number): string {
  // A pipe would make us wait for whoever writes to it, perhaps for ever.
  const descriptor = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  try {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile() && !stat.isDirectory()) throw new Error("it is no regular file");
    // Not the size from stat: files of /proc have none.
    const buffer = Buffer.alloc(bytesMax + 1);
    let length = 0;
    while (length < buffer.length) {
      const count = fs.readSync(descriptor, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    if (length > bytesMax) throw new Error(`it has more than ${bytesMax} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(buffer.subarray(0, length));
  } finally {
    fs.closeSync(descriptor);
  }
}
