/** The command line's defaults, as a plan takes them. */
export const defaultOptions = {
  mode: 'tolerance',
  epsilon: 0.01,
  rule: 'fewest',
  seed: 1n,
  gridBits: 24,
  copies: 'auto',
  biasInit: 'uniform',
  failureProbability: 1e-3,
  inputRange: [0, 1],
};
