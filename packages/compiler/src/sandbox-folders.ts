/** Where distributions keep programs, headers and libraries, and the links that lead there. */
const ownFolders =
  /^\/(?:usr\/(?:include|lib|lib32|lib64|libx32|libexec|bin|sbin|local\/(?:s?bin|lib(?:exec)?))|lib|lib32|lib64|libx32|bin|sbin|etc\/alternatives|etc\/ld\.so\.\w+(?:\.d)?)(?:\/|$)/;

/** True for paths at which a sandbox's own files count, whatever the client has there: they do not travel. */
export function isSandboxOwn(path: string): boolean {
  return ownFolders.test(path);
}
