// The simulator's public face: `import { run, score } from "evener/sim"`.
export { type Bound, type BoundSetup, searchBound } from "./bound.ts";
export { capacityPerS, listOf } from "./capacity.ts";
export { CORE_ROUTERS, CoreRouter, POOL_OPTIONS } from "./core-router.ts";
export { ENGINE_MODELS, type EngineModel, engineModel } from "./engine-models.ts";
export { type Fault, type FaultKind, parseFault } from "./faults.ts";
export { type Ending, type Flight } from "./flight.ts";
export {
  type AnswerFacts,
  type EngineReport,
  type FleetView,
  type Router,
  type RouterSpec,
  type SimRequest,
} from "./router.ts";
export { ROUTERS } from "./routers.ts";
export { run, type RunResult, type RunSetup } from "./run.ts";
export { type AnswerScore, isGood, type Score, score, scoreAnswers } from "./score.ts";
export { type EngineTimeline, type Timeline, timelineOf } from "./timeline.ts";
export { WORKLOADS } from "./workloads/index.ts";
export { recordedPerS, recordedWorkload } from "./workloads/recorded.ts";
export { parseRecording, type RecordedRequest, type Recording } from "./workloads/recording.ts";
export { type Trace, type TraceRow, parseTrace } from "./workloads/trace-text.ts";
export { traceWorkload } from "./workloads/trace.ts";
export {
  ListedWorkload,
  type Workload,
  type WorkloadOptions,
  type WorkloadSource,
} from "./workloads/workload.ts";
