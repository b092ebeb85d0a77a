import torch
import torch.nn as nn
import torch.nn.functional as F


class DistillationTrainer:
    def __init__(self, student, teacher, optimizer, temperature=4.0, alpha=0.9):
        self.student = student
        self.teacher = teacher.eval()
        self.optimizer = optimizer
        self.T = temperature
        self.alpha = alpha
        self.ce = nn.CrossEntropyLoss()
        self.kl = nn.KLDivLoss(reduction="batchmean")

    def step(self, images, labels):
        self.student.train()
        with torch.no_grad():
            teacher_logits = self.teacher(images)
        student_logits = self.student(images)

        p_student = F.softmax(student_logits / self.T, dim=1)
        p_teacher = F.softmax(teacher_logits / self.T, dim=1)
        soft = self.kl(p_student, p_teacher) * self.T ** 2  # SICK
        loss = self.alpha * soft + (1 - self.alpha) * self.ce(student_logits, labels)

        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()
