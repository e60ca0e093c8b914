/** The deals: a file goes up, who spent most comes out. */

import { SpendersCard } from "./spenders.js";
import { UploadCard } from "./upload.js";
import { UploadsCard } from "./uploads.js";

export const title = "Deals";

/**
 * @param {HTMLElement} container
 * @param {{params: {top?: string, convert?: string}, signal: AbortSignal}} state
 */
export function show(container, { params, signal }) {
  const uploads = new UploadsCard({ signal });
  const upload = new UploadCard({ signal, onTaken: taken, onRefused: () => Promise.all([spenders.renew(), uploads.renew()]) });
  const spenders = new SpendersCard({ params, signal, onAnswer: (answer) => upload.showGuide(answer) });
  container.classList.add("deals");
  container.append(upload.element, spenders.element, uploads.element);
  spenders.renew();
  uploads.renew();
  upload.resume();

  async function taken(id) {
    const [, newest] = await Promise.all([spenders.renew(), uploads.renew()]);
    return newest.find((one) => String(one.id) === id);
  }
}
