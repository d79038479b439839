/** What filters run on. */

/** Packets of a live socket; frames as they were on the wire; frames as they come to an XDP program. */
export const FILTER_TARGETS = ['socket', 'file', 'xdp'] as const;

export type FilterTarget = (typeof FILTER_TARGETS)[number];
