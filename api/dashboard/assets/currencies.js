/** The currencies of the catalog. */

import { getJson } from "./http.js";

/**
 * One of them, in detail. A local id that turned out to be another currency leads to that one.
 *
 * @param {number} id
 * @param {AbortSignal} signal
 * @returns {Promise<object | null>} as the API has it; null where there is none with this id
 * @throws {Problem}
 */
export async function currencyOf(id, signal) {
  try {
    return await getJson(`/api/currencies/${id}/`, { signal });
  } catch (error) {
    if (error.status === 404) return null;
    throw error;
  }
}
