import type { Row } from "../row.ts";
import { badFiles } from "./bad-files.ts";
import { churn } from "./churn.ts";
import { clientLeaves } from "./client-leaves.ts";
import { descriptors } from "./descriptors.ts";
import { diskFull } from "./disk-full.ts";
import { drain } from "./drain.ts";
import { erring } from "./erring.ts";
import { flapping } from "./flapping.ts";
import { frozen } from "./frozen.ts";
import { handover } from "./handover.ts";
import { hugeBody } from "./huge-body.ts";
import { killedIdle } from "./killed-idle.ts";
import { killedStreaming } from "./killed-streaming.ts";
import { killedWaiting } from "./killed-waiting.ts";
import { liar } from "./liar.ts";
import { overload } from "./overload.ts";
import { recovery } from "./recovery.ts";
import { reloads } from "./reloads.ts";
import { reset } from "./reset.ts";
import { retryStorm } from "./retry-storm.ts";
import { slowClients } from "./slow-clients.ts";
import { slowReaders, slowReadersOfThreads } from "./slow-readers.ts";
import { slow } from "./slow.ts";
import { threadDeath } from "./thread-death.ts";
import { zoneLoss } from "./zone-loss.ts";

/** Backends die, whole or in part. */
export const DEATHS: readonly Row[] = [
  killedIdle,
  killedWaiting,
  killedStreaming,
  frozen,
  reset,
  recovery,
  zoneLoss,
  flapping,
];

/** Clients leave, read nothing, send slowly, send too much, come and go. */
export const CLIENTS: readonly Row[] = [
  clientLeaves,
  slowReaders,
  slowReadersOfThreads,
  slowClients,
  hugeBody,
  churn,
];

/** Backends answer, but not as they should. */
export const TROUBLES: readonly Row[] = [slow, erring, retryStorm, liar];

/** What operators do, and what their machines lack. */
export const OPERATIONS: readonly Row[] = [
  reloads,
  badFiles,
  threadDeath,
  drain,
  handover,
  descriptors,
  diskFull,
  overload,
];

/** Every row, in the order of the matrix. */
export const ROWS: readonly Row[] = [...DEATHS, ...TROUBLES, ...CLIENTS, ...OPERATIONS].toSorted(
  (a, b) => (Number.parseInt(a.name) || Infinity) - (Number.parseInt(b.name) || Infinity),
);
