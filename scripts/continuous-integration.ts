/** True in a CI run, where nothing may be skipped and everything may be installed. */
export function underContinuousIntegration(environment: NodeJS.ProcessEnv): boolean {
  const value = environment["CI"] ?? "";
  return value !== "" && value !== "0" && value !== "false";
}
