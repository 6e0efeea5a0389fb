/** torch.amp: training with float16. */

export { GradScaler, type GradScalerOptions, type GradScalerState } from './grad_scaler.js';
