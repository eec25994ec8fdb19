"""The FastAPI peer: `uvicorn fastapi_server:app --workers 2`; the body of `POST /classify` is a JPEG.

The network is run where the request is: with one thread of compute a worker, handing over to another thread only costs.
"""
import json

from fastapi import FastAPI, Request, Response

from peer_model import PeerModel

app = FastAPI()
model = PeerModel()


@app.post("/classify")
async def classify(request: Request):
    return Response(json.dumps(model.classify(await request.body())), media_type="application/json")
