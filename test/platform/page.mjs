import { program } from './program.mjs';

const text = document.createElement('pre');
try {
  text.textContent = program();
} catch (error) {
  text.textContent = String(error?.stack ?? error);
}
text.id = 'output';
document.body.append(text);
