/** What filters run on. */

/** Packets of a live socket; frames as they were on the wire; as they come to an XDP program; as a bridge takes them out of its rings. */
export const FILTER_TARGETS = ['socket', 'file', 'xdp', 'bridge'] as const;

export type FilterTarget = (typeof FILTER_TARGETS)[number];
