/** What every runtime of the engine has beside the language, and the types for it are elsewhere. */
declare function structuredClone<T>(value: T): T
