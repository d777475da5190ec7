// The library's public face: `import { Balancer } from "evener"`.
export { Balancer, type BalancerOptions } from "./balancer.ts";
export { EvenerError, type ErrorCode } from "./errors.ts";
export * from "./core/index.ts";
