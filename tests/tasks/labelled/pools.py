"""What the templates' slots are filled with."""

from typing import Any

PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
WAV = "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAESsAACJWAAACABAAZGF0YQAAAAA="

_PARAGRAPHS = [
    "The board met on Tuesday and approved the budget for next year. Two members asked for a review of travel costs.",
    "Rain is expected in the north until Thursday, with gusts of up to 70 km/h along the coast.",
    "Our new heat pump uses a third less electricity than the old boiler. It has run without a fault since March.",
    "I ordered a blue jacket in size M and got a green one in L. Nobody answers the phone. I want my money back!",
    "The patient was admitted on 3 May with a fever of 39.4 °C and discharged on 9 May in good condition.",
    "Revenue grew by 12 % to 4.1 million euros, while costs fell slightly. The outlook for the autumn is cautious.",
    "Lovely little hotel, friendly staff, breakfast could be better. We would come again.",
    "Dear Ms Okafor, thank you for your application. We would like to invite you to an interview on 14 June at 10:30.",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen. It happens in the chloroplasts.",
    "The ferry leaves Split at 07:15 and reaches Hvar an hour later. Tickets cost 9 euros.",
    "Invoice 2024-118, Acme GmbH, Hauptstr. 5, 10115 Berlin. Total: 1,249.00 EUR, due within 14 days.",
    "He had never liked the house. Its windows looked at you as if they knew something.",
    "Translate nothing before the client has signed, the lawyer said. Then everybody went to lunch.",
    "The report asks how cities can write better rules for scooters. What should they do first?",
]
_FOREIGN = [
    "Der Zug nach München fällt heute aus. Bitte nutzen Sie die Verbindung über Augsburg.",
    "El contrato vence el 30 de junio y se renueva automáticamente por un año.",
    "Le musée est fermé le lundi. Les billets coûtent douze euros.",
    "会议改到星期三下午三点,请带上季度报告。",
    "Заказ отправлен вчера и прибудет в пятницу.",
]
LONG = " ".join(_PARAGRAPHS * 7)  # about nine thousand characters

POOLS: dict[str, list[Any]] = {
    "text": _PARAGRAPHS + _FOREIGN,
    "english": _PARAGRAPHS,
    "foreign": _FOREIGN,
    "long": [LONG, LONG[2000:] + LONG[:1500], "\n\n".join([*_PARAGRAPHS, *_PARAGRAPHS[::-1]] * 3)],
    "topic": [
        "the history of tea", "electric cars", "a lighthouse keeper", "remote work", "the water cycle", "beekeeping",
        "our new office", "machine translation", "a lost dog", "the moon landing", "sleep", "medieval markets",
        "text classification", "image compression", "two brothers who open a bakery", "learning to code at fifty",
    ],
    "language": ["French", "German", "Japanese", "Brazilian Portuguese", "Swahili", "Korean", "Polish", "Hindi",
                 "Dutch", "Simplified Chinese", "Arabic", "Finnish"],
    "tag": ["fr", "de", "ja", "pt-BR", "es", "zh-Hans", "uk", "tr"],
    "programming": ["Python", "TypeScript", "Go", "Rust", "Java", "C#", "Ruby", "Kotlin"],
    "job": [
        "reverses a linked list", "parses a CSV file", "finds the longest word in a text", "checks an IBAN",
        "translates Morse code", "summarizes a list of orders by customer", "retries a request with backoff",
        "classifies triangles by their sides", "draws a clock", "counts the words in a file",
    ],
    "code": [
        "def add(a, b):\n    return a - b", "for (let i = 0; i <= xs.length; i++) { sum += xs[i]; }",
        "SELECT * FROM orders WHERE id = 1 OR 1 = 1", "func main() {\n\tfmt.Println(\"hi\"\n}",
    ],
    "query": ["orders above 100 euros by month", "customers without an order", "the ten best-paid employees",
              "products that are out of stock"],
    "question": [
        "What is the tallest mountain in South America?", "Who wrote The Trial?", "How do vaccines work?",
        "Why is the sea salty?", "When did the Berlin Wall fall?", "Where is the Strait of Hormuz?",
        "Which planet has the most moons?", "How many legs does a lobster have?", "Is tomato a fruit?",
        "Does aspirin thin the blood?", "Are whales mammals?", "What does 'summarize' mean?",
        "How does image classification work?", "Which words cannot be translated?", "Can octopuses see colour?",
        "Was Napoleon short?", "How do I undo a commit in git?", "What's the difference between a list and a tuple?",
        "How long does it take to boil an egg?", "Whose idea was the metric system?", "Do cats dream?",
    ],
    "scene": [
        "a red bicycle leaning on a wall", "a castle above the clouds", "an astronaut riding a horse",
        "a bowl of ramen", "an owl made of paper", "a harbour at dawn", "two foxes playing chess",
        "a minimalist mountain range",
    ],
    "labels": [["billing", "technical", "sales"], ["positive", "neutral", "negative"], ["spam", "ham"],
               ["sports", "politics", "science", "culture"], ["urgent", "can wait"]],
    "classes": ["positive, negative or neutral", "spam or not spam", "billing, technical or other",
                "fact or opinion"],
    "fields": [["name", "date"], ["invoice_number", "total", "due_date"], ["city", "time", "price"],
               ["email", "phone"]],
    "facts": ["all dates", "the names and addresses", "every price", "the invoice number and the total",
              "all e-mail addresses", "the people and places", "the key figures"],
    "texts": [["red apples", "green pears"], _PARAGRAPHS[:3], ["one"], ["Hallo Welt", "Bonjour le monde", "你好"],
              [f"row {number}" for number in range(40)]],
    "documents": [_PARAGRAPHS[:4], ["Berlin is in Germany.", "Rome is in Italy."],
                  [{"text": "The office opens at nine."}, {"text": "Dogs are welcome."}]],
    "search": ["opening hours", "capital of Italy", "weather on the coast", "how to get a refund"],
    "insult": ["You are all idiots and should leave.", "I will find out where you live.", "Have a nice day, everyone!",
               "Buy cheap pills now at example.com", "That referee is blind."],
    "voice": ["alloy", "nova", "Kore", "en-GB-Ryan"],
    "size": ["1024x1024", "1536x1024", "512x512"],
    "greeting": ["Hello", "Hi there!", "Good morning", "hey", "Thanks a lot", "Hello, world!"],
    "image": [PNG, "https://example.com/cat.jpg", "https://example.com/photos/plan.png?w=800"],
    "sound": [WAV, "https://example.com/call.mp3", "data:audio/mpeg;base64,SUQzBAAAAAAA"],
    "embedder": ["text-embedding-3-small", "openai/text-embedding-3-large", "voyage-3.5", "nomic-embed-text", "bge-m3",
                 "gemini-embedding-001", "mistral-embed"],
    "reranker": ["rerank-v3.5", "jina-reranker-v2-base-multilingual", "cohere/rerank-4", "bge-reranker-large"],
    "moderator": ["omni-moderation-latest", "text-moderation-stable", "mistral-moderation-latest"],
    "painter": ["dall-e-3", "gpt-image-1", "imagen-4.0-generate-001", "black-forest-labs/flux-1.1-pro"],
    "speaker": ["tts-1", "gpt-4o-mini-tts", "gemini-2.5-flash-preview-tts", "eleven_multilingual_v2"],
    "listener": ["whisper-1", "gpt-4o-transcribe", "whisper-large-v3-turbo", "nova-3"],
    "chatter": ["gpt-5-mini", "claude-sonnet-4-5", "auto", "gemini-2.5-flash"],
    "number": [20, 50, 100, 200],
}  # fmt: skip
