"""The mosec peer: two workers of one thread; the body of `POST /inference` is a JPEG."""
from mosec import Server, Worker

from peer_model import PeerModel


class Classifier(Worker):
    def __init__(self):
        super().__init__()
        self.model = PeerModel()

    def deserialize(self, data):
        return data

    def forward(self, data):
        return self.model.classify(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Classifier, num=2)
    server.run()
