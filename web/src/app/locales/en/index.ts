/** All modules of this language. */
const modules = import.meta.glob<{ default: object }>(['./*.ts', '!./index.ts'], { eager: true })

export default Object.fromEntries(Object.entries(modules).map(([path, { default: messages }]) => [path.slice(2, -3), messages]))
