/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Fills in every `${NAME}`; `$${` stands for a plain `${`. `report` is called with what stands in the text
 * (to find its place) and what is wrong with it; the text then keeps it as it is.
 */
export function expandVariables(
  text: string,
  env: Environment,
  report: (written: string, message: string) => void,
): string {
  if (!text.includes("${")) return text;
  return text.replace(VARIABLE, (written: string, name: string | undefined) => {
    if (written === "$${") return "${";
    if (name === undefined) {
      report("${", 'after "${" a name and "}" are expected; write ${NAME}, or $${ for a plain ${');
      return written;
    }
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value !== undefined) return value;
    report(written, `the environment has no ${name}; set it before the start`);
    return written;
  });
}

const VARIABLE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{/g;
