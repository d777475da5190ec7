import type { FirstTokenConfig, RetryConditionsConfig } from "./config.ts";

/** Which requests go where, and how they are treated on the way. */
export interface RouteConfig {
  readonly match: RouteMatchConfig;
  readonly target: RouteTargetConfig;
  /** Only backends that carry all of these labels may be picked. */
  readonly labels: Readonly<Record<string, string>>;
  readonly replay: "auto" | "always" | "never";
  readonly class: "high" | "normal" | "low";
  /** Protocols that a client may switch to; any case. */
  readonly upgrades: readonly string[];
  readonly rewrite: RewriteConfig;
  readonly requestHeaders: FieldEditsConfig;
  readonly responseHeaders: FieldEditsConfig;
  /** null = what the pool says. */
  readonly timeouts: RouteTimeoutsConfig;
  readonly retry: RouteRetryConfig;
  /** 0 = no limit; null = `limits.body_bytes`. */
  readonly bodyBytesMax: number | null;
  readonly mirror: MirrorConfig | null;
}

/** What a request must be like; all parts must hold. */
export interface RouteMatchConfig {
  /** Lower case, without port; `*.example.com` means one or more labels before it; null = every host. */
  readonly host: string | null;
  readonly path: PathConfig;
  /** Upper case; empty = every method. */
  readonly methods: readonly string[];
  /** Names of models, `*` stands for any characters; empty = every request. */
  readonly models: readonly string[];
  readonly conditions: readonly ConditionConfig[];
}

/** `text` starts with `/`, but for a regular expression. */
export interface PathConfig {
  readonly kind: "prefix" | "exact" | "regex";
  readonly text: string;
}

/** A header, query parameter or cookie. */
export interface ConditionConfig {
  readonly from: "header" | "query" | "cookie";
  /** Of a header: lower case. */
  readonly name: string;
  /** null = any value. */
  readonly value: string | null;
  /** false = it must not be there; `value` is null then. */
  readonly isPresent: boolean;
}

export type RouteTargetConfig =
  | {
      readonly kind: "pools";
      /** More than one is a split by weight; at least one weight is above 0. */
      readonly pools: readonly { readonly name: string; readonly weight: number }[];
    }
  | ({ readonly kind: "redirect" } & RedirectConfig)
  | ({ readonly kind: "answer" } & AnswerConfig);

/** null = as the client asked. `path` and `prefix` are never both there. */
export interface RedirectConfig {
  readonly status: number;
  readonly scheme: "http" | "https" | null;
  /** With its port where one is written. */
  readonly host: string | null;
  readonly path: string | null;
  readonly prefix: PrefixConfig | null;
}

/** A fixed answer. */
export interface AnswerConfig {
  readonly status: number;
  readonly headers: readonly FieldConfig[];
  readonly body: string;
}

/** null = as the client asked. */
export interface RewriteConfig {
  readonly prefix: PrefixConfig | null;
  readonly host: string | null;
  /** What models are called for the backends; `from` may have `*` for any characters. Empty = as asked. */
  readonly models: readonly ModelAliasConfig[];
}

/** Another name for models. */
export interface ModelAliasConfig {
  readonly from: string;
  readonly to: string;
}

/** Paths without a slash at their end; "" is the root. */
export interface PrefixConfig {
  readonly from: string;
  readonly to: string;
}

/** A header line; the name is lower case. */
export interface FieldConfig {
  readonly name: string;
  readonly value: string;
}

/** Header lines that are replaced, added and taken out; names are lower case. */
export interface FieldEditsConfig {
  readonly set: readonly FieldConfig[];
  readonly add: readonly FieldConfig[];
  readonly remove: readonly string[];
}

/** null = what the pool says. */
export interface RouteTimeoutsConfig {
  readonly firstByteMs: number | null;
  readonly idleMs: number | null;
}

/** null = what the pool says; the budget is the pool's in any case. */
export type RouteRetryConfig =
  | { readonly kind: "off" }
  | {
      readonly kind: "pool";
      readonly attempts: number | null;
      readonly on: RetryConditionsConfig | null;
      readonly firstToken: FirstTokenConfig | null;
      readonly bodyBytesMax: number | null;
      readonly backoffMs: number | null;
      readonly backoffMsMax: number | null;
    };

/** A pool that gets copies of requests. */
export interface MirrorConfig {
  readonly pool: string;
  /** 0..1 of the requests. */
  readonly share: number;
  /** Copies under way in that pool, at most. */
  readonly requestsMax: number;
}
