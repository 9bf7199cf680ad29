/** Asking the user before something that can't be taken back. */
import { defineStore } from 'pinia'
import { ref } from 'vue'

export interface Question {
  title: string
  text?: string
  /** What the button says that does it. */
  confirm: string
  danger?: boolean
}

export const useQuestions = defineStore('questions', () => {
  const question = ref<Question>()
  let answer: (isYes: boolean) => void = () => {}

  /** Whether the user wants it. A question that is still open is answered with no. */
  function ask(asked: Question): Promise<boolean> {
    answer(false)
    question.value = asked
    return new Promise((resolve) => {
      answer = resolve
    })
  }

  function settle(isYes: boolean): void {
    question.value = undefined
    answer(isYes)
    answer = () => {}
  }

  return { question, ask, settle }
})
