/** What cannot be expanded: engines fail on it too. */
export class ExpansionFault extends Error {}
