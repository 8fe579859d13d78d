"""Kinds of work that have a name and signs, but that nothing here does yet: told apart, and refused as such."""

from aiservice.tasks._signs import GIVEN, Signs, fields

_READ_OUT = r"(?:aloud|out loud|to me)"
_ABUSE = (
    r"(?:toxic|hateful|offensive|harmful|abusive|harassing|threatening|inappropriate|safe for work|nsfw|hate speech|"
    r"harassment|threats?|profanity|slurs?|violence|self-harm|harmful content|unsafe content|insults?)"
)
_ADJECTIVE = r"(?!(?:for|of|about|to|with|from|in|on|that|this|which|showing)\b)[\w-]+"
_STYLE = (
    r"(?:photo-?realistic|realistic|detailed|beautiful|stunning|high[- ]resolution|watercolou?r|digital|"
    r"black and white|"
    r"minimalist|vintage|3d|oil|pencil|cinematic|close-up|aerial|cute|abstract|surreal)"
)

UNSERVED: dict[str, Signs] = {
    "moderation": Signs(
        fields=fields("text+policies", "moderation_categories"),
        hints=r"toxic|hate speech|offensive|beleidig|moderat(?:e|ion)|guidelines|appropriate for",
        models=r"moderation|llama-guard|shieldgemma",
        begins=(
            rf"moderate {GIVEN}",
            r"content moderation\b|moderate\s*[:\n]",
            rf"(?:does|do|is) {GIVEN}.{{0,30}}\b(?:violates?|breaks?|against) .{{0,20}}\b(?:polic(?:y|ies)|rules|"
            rf"guidelines|terms)\b",
            rf"is {GIVEN}.{{0,30}}\b(?:appropriate|suitable|safe) for (?:children|kids|minors|work|all ages)\b",
            rf"flag {GIVEN}",
            r"ist (?:dieser|diese|dieses|der|die|das) .{0,40}\b(?:beleidigend|anstößig|hasserfüllt|toxisch)\b",
            rf"(?:flag|detect|find) .{{0,30}}\b{_ABUSE}.{{0,20}}\bin {GIVEN}",
            rf"check .{{0,60}}(?:\b{_ABUSE}|community guidelines|code of conduct|content polic)",
            rf"(?:is|are|does|do) {GIVEN}.{{0,60}}\b{_ABUSE}",
        ),
    ),
    "image-generation": Signs(
        hints=r"\b(?:image|picture|photo|illustration|drawing|logo) of\b|\bzeichn|\bdessin|\bdibuj|イラスト",
        fields=fields("size", "quality", "aspect_ratio", "negative_prompt", "prompt+image+mask"),
        models=r"dall-e|gpt-image|imagen|flux|stable-diffusion|sdxl|midjourney|grok-.*image|[-.]image(?:$|[-:])|"
        r"recraft",
        begins=(
            r"(?:generate|create|make|produce|render|draw|paint|design|show|sketch)(?: me)? (?:(?:an?|the|some|\d) )?"
            rf"(?:{_ADJECTIVE} ){{0,4}}?(?:image|picture|photo(?:graph)?|illustration|drawing|painting|logo|icon|"
            rf"poster|portrait|"
            r"wallpaper|banner|sticker|artwork|sketch|cartoon|avatar|mockup)s?\b(?! (?:books?|captions?|"
            r"descriptions?|prompts?|classif\w*|frames?|gallery|processing|recognition|search|of the plan)\b)",
            r"(?:draw|paint|sketch)(?! (?:up|on|upon|from|out|conclusions?|attention|lots?|straws|near|the line)\b)"
            r"(?! (?:an? |the )?(?:[\w-]+ )?(?:conclusion|comparison|parallel|distinction|inference|lesson|"
            r"analogy)s?\b) \w",
            rf"(?:an? |the )?(?:{_STYLE}[ ,]+){{0,3}}(?:image|picture|photo|photograph|illustration|painting|"
            rf"drawing) (?:of|showing)\b"
            r"(?!.* (?:is|was|are|were|has|had|hangs?|shows?)\b)",
            r"male(?: mir)? (?:ein|eine|einen|das|den|die)\b|(?:zeichne|skizziere|dessine|dibuja|desenhe|disegna|"
            r"teken|narysuj|нарисуй|изобрази)\b",
            r"(?:erstelle?|generiere|erzeuge?|mach)\w* (?:mir )?(?:ein|eine) .{0,20}\b(?:bild|foto|illustration|logo)",
            r"(?:génère|crée|fais)\w*(?:-moi)? (?:une|un) .{0,20}\b(?:image|photo|illustration|logo|dessin)",
            r"(?:genera|crea|haz|gere|crie|genera(?:mi)?)\w* (?:una?|um|uma|un')\s?.{0,20}\b(?:imagen|imagem|"
            r"immagine|foto|logo)",
            r"(?:сгенерируй|создай|сделай) (?:картинк|изображени|рисунок|логотип)",
        ),
        holds=(
            r"^画(?:一|个|張|张|出)",
            r"画一",
            r"生成.{0,12}(?:图片|图像|圖片)",
            r"(?:絵|イラスト)を?描",
            r"画像を(?:生成|作)",
            r"그림을? ?그려",
            r"이미지를? ?(?:생성|만들)",
        ),
    ),
    "speech-to-text": Signs(
        fields=fields("audio", "audio_url"),
        models=r"whisper|transcribe|\bstt\b|nova-[23]$|scribe_v|parakeet|canary-",
        begins=(rf"transcribe {GIVEN}",),
    ),
    "text-to-speech": Signs(
        fields=fields("voice", "voice_id"),
        models=r"\btts\b|tts-|-tts|eleven_|kokoro|orpheus|aura-|playai",
        hints=r"aloud|out loud|text[- ]to[- ]speech|voice-?over|vorlesen|朗读",
        begins=(
            r"(?:read (?:aloud|out)|speak|narrate)\s*[:\n]",
            r"(?:create|make|record|generate|produce) an? (?:voice-?over|narration|audio \w+)\b",
            rf"read {GIVEN}.{{0,40}}\b{_READ_OUT}",
            rf"(?:say|speak|narrate|voice) {GIVEN}.{{0,60}}\b(?:{_READ_OUT}|voice|accent)",
            r"(?:convert|turn|transform) .{0,40}\b(?:to|into) (?:\w+ )?(?:speech|audio|mp3|an mp3|an audio)",
            r"(?:generate|create|make|produce|record) .{0,25}\b(?:audio|voice-?over|mp3)"
            r"(?: (?:file|version|clip|track))? (?:of|for|from) ",
            r"text[- ]to[- ]speech\b",
            r"(?:lies|lese) .{0,40}\bvor\b",
            r"(?:lis|lisez) .{0,40}à (?:voix haute|haute voix)",
            r"lee .{0,40}en voz alta",
        ),
        holds=(r"朗读", r"読み上げ", r"소리 내어 읽"),
    ),
}
TITLES = {
    "moderation": "Moderation",
    "image-generation": "Image generation",
    "speech-to-text": "Speech to text",
    "text-to-speech": "Text to speech",
}
