// Where the trees and the running engines lie: the same variables and defaults as in the file `catalogue`.
export const treesFolder = process.env.BERTHGATE_TREES ?? '/var/cache/berthgate-trees';
export const enginesFolder = process.env.BERTHGATE_ENGINES ?? '/run/berthgate-engines';
