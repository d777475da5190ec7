import { internKey, KEY_IDS } from "./key-names.ts";
import { ROLE, type RoleName } from "./role.ts";

/** Key paths of a body with what stands there: `model`, or `options.num_predict` for one level below. */
export type KeyRoles = Readonly<Record<string, RoleName>>;

/** Roles by the numbers of keys. */
export interface NestedRoles {
  readonly byKey: Uint8Array;
  /** Each role that occurs. */
  readonly all: readonly number[];
}

/** {@link KeyRoles} as the scanner asks for them. */
export interface RoleTable {
  /** Roles at the top of the body, by the numbers of keys. */
  readonly top: Uint8Array;
  /** Roles in the object that stands at a key of the top, or null. */
  readonly nested: readonly (NestedRoles | null)[];
}

/** Made once for each API, when modules are loaded. */
export function compileRoles(roles: KeyRoles): RoleTable {
  const top = new Uint8Array(KEY_IDS);
  const nested: (NestedRoles | null)[] = Array.from({ length: KEY_IDS }, () => null);
  for (const [path, name] of Object.entries(roles)) {
    const [first, second, ...deeper] = path.split(".");
    if (deeper.length > 0) throw new RangeError(`${path} is more than two keys`);
    const key = internKey(first!);
    if (second === undefined) top[key] = ROLE[name];
    else nested[key] = withRole(nested[key]!, internKey(second), ROLE[name]);
  }
  return { top, nested };
}

function withRole(roles: NestedRoles | null, key: number, role: number): NestedRoles {
  const byKey = roles?.byKey ?? new Uint8Array(KEY_IDS);
  byKey[key] = role;
  return { byKey, all: [...(roles?.all ?? []), role] };
}
