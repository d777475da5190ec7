import type { RetryRules } from "./pool-traffic.ts";

/** What a route asks for, as written. */
export interface RouteSpec {
  readonly match: RouteMatchSpec;
  readonly target: RouteTargetSpec;
  readonly labels: Readonly<Record<string, string>>;
  readonly replay: "auto" | "always" | "never";
  readonly class: "high" | "normal" | "low";
  /** Protocols that clients may switch to. */
  readonly upgrades: readonly string[];
  readonly rewrite: RewriteSpec;
  readonly requestHeaders: FieldEditsSpec;
  readonly responseHeaders: FieldEditsSpec;
  /** Milliseconds; null: what the pool says. */
  readonly timeouts: { readonly firstByteMs: number | null; readonly idleMs: number | null };
  readonly retry: RetrySpec;
  /** Bytes of a request's body, at most; 0 is no limit, null what holds for all routes. */
  readonly bodyBytesMax: number | null;
  readonly mirror: MirrorSpec | null;
}

/** What a request must be like; all parts must hold. */
export interface RouteMatchSpec {
  /** Lower case, without port; `*.example.com` is any name below; null is every host. */
  readonly host: string | null;
  readonly path: PathSpec;
  /** Empty is every method. */
  readonly methods: readonly string[];
  /** Names of models, which may have `*` for any characters; empty is every request, with a model or not. */
  readonly models: readonly string[];
  readonly conditions: readonly ConditionSpec[];
}

/** A prefix goes by whole segments: `/v1` takes `/v1` and `/v1/x`, not `/v10`. */
export interface PathSpec {
  readonly kind: "prefix" | "exact" | "regex";
  readonly text: string;
}

/** A header, query parameter or cookie with that value; `value` null: any value will do. */
export interface ConditionSpec {
  readonly from: "header" | "query" | "cookie";
  /** Of a header: lower case. */
  readonly name: string;
  readonly value: string | null;
  /** False: it must not be there; `value` is null then. */
  readonly isPresent: boolean;
}

/** Where the request goes, or what it is answered. */
export type RouteTargetSpec =
  | { readonly kind: "pools"; readonly pools: readonly { readonly name: string; readonly weight: number }[] }
  | ({ readonly kind: "redirect" } & RedirectSpec)
  | ({ readonly kind: "answer" } & FixedSpec);

/** A redirect; null keeps that part of the request's own target. The query is kept. */
export interface RedirectSpec {
  readonly status: number;
  readonly scheme: "http" | "https" | null;
  /** With its port where there is one. */
  readonly host: string | null;
  /** The whole path. */
  readonly path: string | null;
  readonly prefix: PrefixSpec | null;
}

/** An answer that is always the same. */
export interface FixedSpec {
  readonly status: number;
  readonly headers: readonly FieldSpec[];
  readonly body: string;
}

/** What a backend gets in place of what the client asked for. */
export interface RewriteSpec {
  readonly prefix: PrefixSpec | null;
  readonly host: string | null;
  /** Empty: models keep their names. `from` may have `*` for any characters. */
  readonly models: readonly { readonly from: string; readonly to: string }[];
}

/** Paths without a slash at their end; "" is the root. */
export interface PrefixSpec {
  readonly from: string;
  readonly to: string;
}

/** A field line; the name is lower case. */
export interface FieldSpec {
  readonly name: string;
  readonly value: string;
}

/** Field lines that are replaced, added and taken out. */
export interface FieldEditsSpec {
  readonly set: readonly FieldSpec[];
  readonly add: readonly FieldSpec[];
  /** Lower case. */
  readonly remove: readonly string[];
}

/** null: what the pool says. The budget is always the pool's. */
export type RetrySpec =
  | { readonly kind: "off" }
  | {
      readonly kind: "pool";
      readonly attempts: number | null;
      readonly on: {
        readonly connectFailure: boolean;
        readonly reset: boolean;
        readonly firstByteTimeout: boolean;
        readonly statuses: readonly number[];
      } | null;
      readonly firstToken: RetryRules["firstToken"] | null;
      readonly bodyBytesMax: number | null;
      readonly backoffMs: number | null;
      readonly backoffMsMax: number | null;
    };

/** A copy of requests for another pool, whose answers nobody sees. */
export interface MirrorSpec {
  readonly pool: string;
  /** 0..1 of the requests. */
  readonly share: number;
  /** Mirrored requests in flight in that pool, at most. */
  readonly requestsMax: number;
}
