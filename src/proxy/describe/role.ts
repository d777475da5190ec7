/**
 * What can stand at a key of a request's body. The first ones, up to {@link SECTIONS}, are sections: their
 * bytes are hashed and counted, never kept. The others are short values that are read.
 */
export const ROLE = {
  nothing: 0,
  /** The part that grows from turn to turn: messages, input, text. Its blocks are hashed one by one. */
  prompt: 1,
  /** Goes before the prompt: system, instructions, the query of a reranking. */
  system: 2,
  tools: 3,
  /** OpenAI's tools of old. */
  functions: 4,
  /** Token ids of what went before. */
  context: 5,
  /** Images or sounds beside the prompt. */
  media: 6,
  /** Keeps the caches of those who must not know of each other apart. */
  salt: 7,
  /** SGLang's second word for a salt. */
  extraSalt: 8,

  model: 9,
  stream: 10,
  includeUsage: 11,
  outputLimit: 12,
  /** A second name for the limit; counts where the first one is not there. */
  olderOutputLimit: 13,
  choices: 14,
  priority: 15,
  adapter: 16,
  store: 17,
  user: 18,
  metadataUser: 19,
  cacheKey: 20,
  previousResponse: 21,
  conversation: 22,
  session: 23,
} as const;

/** The name of a role, as the menu writes it. */
export type RoleName = Exclude<keyof typeof ROLE, "nothing">;

/** Roles up to this number are sections. */
export const SECTIONS: number = ROLE.extraSalt;
