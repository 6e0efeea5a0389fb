import * as torch from 'isotorch';

const { nn } = torch;

class Net extends nn.Module {
  fc = new nn.Linear(4, 2);

  override forward(x: torch.Tensor): torch.Tensor {
    return this.fc(x);
  }
}

const net = new Net();
const y: torch.Tensor = net(torch.zeros([3, 4]));
const shape: readonly number[] = y.shape;
console.log(shape);
