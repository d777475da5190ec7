// The thread of a SQLite store: what it is asked is done in order, one after the other.
import { parentPort, workerData } from "node:worker_threads";
import { SqliteFile } from "./sqlite-file.ts";
import type { Answered, Asked, Opened, Question } from "./sqlite-messages.ts";

const port = parentPort!;

function tell(message: Opened | Answered): void {
  port.postMessage(message);
}

function open(path: string): SqliteFile | null {
  try {
    const file = new SqliteFile(path);
    tell({ opened: true });
    return file;
  } catch (error) {
    tell({ opened: false, message: (error as Error).message });
    return null;
  }
}

function answer(file: SqliteFile, question: Question): unknown {
  switch (question.ask) {
    case "commit":
      return file.commit(question.commits);
    case "unfinished":
      return file.unfinished(question.afterId, question.recordsMax);
    case "task":
      return file.task(question.id);
    case "find":
      return file.find(question.query);
    case "payloads":
      return file.payloads(question.ids);
    case "result":
      return file.result(question.id);
    case "events":
      return file.events(question.cursor, question.eventsMax, question.taskId);
    case "lastCursor":
      return file.lastCursor();
    case "memory":
      return file.memory(question.name);
    case "prune":
      return file.prune(question.bounds);
    case "close":
      file.close();
      return null;
  }
}

const file = open(workerData as string);
port.on("message", ({ number, question }: Asked) => {
  if (file === null) return;
  try {
    tell({ number, value: answer(file, question) });
  } catch (error) {
    const { message, errcode = 0 } = error as Error & { errcode?: number };
    tell({ number, message, errcode });
  }
  if (question.ask === "close") port.close();
});
