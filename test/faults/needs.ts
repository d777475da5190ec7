// What the suite takes from the machine it runs on.
import { existsSync } from "node:fs";

/** Where its programs are; some of them are not in everybody's PATH. */
export const FOLDERS: readonly string[] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** What this machine lacks, a line each, with what to do about it. */
export function whatIsMissing(): string[] {
  if (process.platform !== "linux") return ["it needs Linux: namespaces, nft, cgroups"];
  const missing: string[] = [];
  if (process.getuid!() !== 0) missing.push("it needs root, for its own namespaces: run it with sudo");
  const lacks = Object.entries(PACKAGES).filter(([program]) => !isInstalled(program));
  if (lacks.length > 0) {
    const packages = [...new Set(lacks.map(([, debian]) => debian))].join(" ");
    const programs = lacks.map(([program]) => program).join(", ");
    missing.push(`it needs ${programs}: apt-get update && apt-get install -y ${packages}`);
  }
  return missing;
}

/** Programs and Debian's packages of them. */
const PACKAGES: Readonly<Record<string, string>> = {
  unshare: "util-linux",
  prlimit: "util-linux",
  mount: "mount",
  nft: "nftables",
  ip: "iproute2",
};

function isInstalled(program: string): boolean {
  return FOLDERS.some((folder) => existsSync(`${folder}/${program}`));
}
