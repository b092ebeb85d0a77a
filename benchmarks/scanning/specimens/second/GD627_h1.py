import torch
import torch.nn.functional as F


def distill(student, teacher, loader, opt, T=2.0):
    teacher.eval()
    student.train()
    for x in loader:
        opt.zero_grad()
        with torch.no_grad():
            t = teacher(x) / T
            with torch.enable_grad():
                s = student(x) / T
                loss = F.kl_div(s.log_softmax(-1), t.softmax(-1), reduction="batchmean") * T * T
        loss.backward()
        opt.step()
