"""Runs benchmark programs in native PyTorch; JSON lines over stdin and stdout. Argument: threads."""

import array
import json
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F

torch.set_num_threads(int(sys.argv[1]))


def blas():
    """The linear algebra library loaded, as its file name says."""
    with open('/proc/self/maps') as maps:
        names = {line.split('/')[-1].strip() for line in maps if '/' in line}
    known = ['mkl', 'openblas', 'blis', 'atlas', 'blas']
    return next((n for k in known for n in sorted(names) if k in n.lower()), 'unknown')


def load(path, shape, dtype):
    with open(path, 'rb') as file:
        flat = torch.frombuffer(bytearray(file.read()), dtype=getattr(torch, dtype))
    return flat.reshape(shape)


def prepare(message):
    names = {'torch': torch, 'nn': nn, 'F': F}
    for name, value in message['inputs'].items():
        names[name] = load(**value)
    exec(message['source'], names)
    return names


def check(program, path):
    result = program.get('check', program['run'])()
    with open(path, 'wb') as file:
        array.array('f', result.flatten().tolist()).tofile(file)


CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


def sample(run, repeat, clock):
    now = CLOCKS[clock]
    start = now()
    for _ in range(repeat):
        run()
    return now() - start


program = {}
try:
    library = blas()
except OSError:
    library = 'unknown'
print(json.dumps({'version': torch.__version__, 'blas': library}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    answer = {}
    try:
        if message['do'] == 'prepare':
            program = prepare(message)
            check(program, message['result'])
        else:
            answer['seconds'] = sample(program['run'], message['repeat'], message['clock'])
    except Exception as error:  # told to the caller, who shows it
        answer['error'] = f'{type(error).__name__}: {error}'
    print(json.dumps(answer), flush=True)
