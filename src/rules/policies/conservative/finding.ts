/** Why a value does not pass. */
export interface Finding {
  readonly rule: string;
  readonly place: string;
  /** What must hold: `must be false`. */
  readonly message: string;
  readonly hint: string;
}
