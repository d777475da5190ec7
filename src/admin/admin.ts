import { type ControlAddress, type ControlListener, openControl } from "../control/listener.ts";
import { AdminDoor } from "./admin-door.ts";
import { AdminApi } from "./api.ts";
import { RecentPicks } from "./recent-picks.ts";
import type { AdminSource } from "./source.ts";
import { StatusReader } from "./status.ts";

/** A running admin listener. */
export type Admin = ControlListener;

/** What an admin listener needs. */
export interface AdminSetup extends ControlAddress {
  readonly source: AdminSource;
  /** The audit log: told after every change, who made it and what. */
  readonly onChange?: (who: string, what: string) => void;
}

/** Opens the admin listener: status page, metrics, API. Throws what {@link openControl} throws. */
export async function startAdmin(setup: AdminSetup): Promise<Admin> {
  const { source, deadlines } = setup;
  const recent = new RecentPicks(source, deadlines);
  const api = new AdminApi(source, new StatusReader(source, recent), setup.onChange ?? ((): void => {}));
  try {
    const listener = await openControl("admin", setup, new AdminDoor(api, source.events, deadlines));
    return {
      port: listener.port,
      close: async () => {
        recent.close();
        await listener.close();
      },
    };
  } catch (error) {
    recent.close();
    throw error;
  }
}
